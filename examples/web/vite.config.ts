import { defineConfig } from "vite";

export default defineConfig({
  // The port is a part of the origin, which the service must allow.
  server: { port: 5173, strictPort: true },
  preview: { port: 5173, strictPort: true },
  build: { target: "es2022" },
});
