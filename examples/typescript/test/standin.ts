/** A stand-in for the service, for errors that the real one cannot be brought to make in a test. */

import { promisify } from "node:util";
import { Metadata, Server, ServerCredentials, status, type ServiceDefinition } from "@grpc/grpc-js";
import { ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";
import { Connection } from "../src/connection.js";

/** An error as the service makes it: with the reason, and a delay before a retry. */
export function refusal(code: status, reason: string, numbers: Record<string, string> = {}) {
  const info = ErrorInfo.encode({ reason, domain: "purchasing.v1", metadata: numbers }).finish();
  const retry = RetryInfo.encode({ retryDelay: { seconds: 0n, nanos: 1_000_000 } }).finish();
  const encoded = Status.encode({
    code,
    message: reason,
    details: [
      { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info) },
      { typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: Buffer.from(retry) },
    ],
  }).finish();
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(encoded));
  return { code, details: reason, metadata };
}

export class StandIn {
  private constructor(
    private readonly server: Server,
    readonly client: Connection,
  ) {}

  /** Serves single methods of a service. */
  static async start(
    service: ServiceDefinition,
    methods: Parameters<Server["addService"]>[1],
  ): Promise<StandIn> {
    const server = new Server();
    server.addService(service, methods);
    const bind = promisify<string, ServerCredentials, number>(server.bindAsync.bind(server));
    const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
    return new StandIn(server, Connection.development(`127.0.0.1:${port}`, "alice"));
  }

  close(): void {
    this.client.close();
    this.server.forceShutdown();
  }
}
