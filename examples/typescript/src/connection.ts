/** A connection to the service: who calls, a deadline for every call, and which calls are sent again. */

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  Client,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientReadableStream,
} from "@grpc/grpc-js";
import { ServiceError } from "./errors.js";

/**
 * How the channel retries. It sees only the code of an error, and UNAVAILABLE alone may always be sent again:
 * nothing was done, or the connection broke and the request id makes the retry safe. The first delay is the
 * one that the service asks for in RetryInfo. What depends on the reason is retried by `Connection.call`.
 */
const SERVICE_CONFIG = {
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "1s",
        maxBackoff: "5s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
    // A watch is opened again at another position, which `follow` knows and the channel does not.
    { name: [{ service: "purchasing.v1.EventService", method: "WatchEvents" }] },
  ],
};

const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
  // A connection that silently broke is found within 40 s while a call waits. The service sends a PING of its
  // own after 20 s of silence, and does not mind one more.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
};

/** How long one attempt may take, with the channel's retries. The service allows 30 s at most. */
export const CALL_MILLISECONDS = 10_000;
const ATTEMPTS = 3;
const RETRIED_REASONS: ReadonlySet<string> = new Set(["QUEUE_FULL", "OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"]);

/** A method as the generated code describes it, such as `PurchaseOrderServiceService.getPurchaseOrder`. */
export interface Method<Request, Response, Streams extends boolean> {
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: Streams;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A channel to the service, for the methods of all its services. */
export class Connection {
  readonly #client: Client;
  readonly #metadata: Metadata;

  private constructor(address: string, channel: ChannelCredentials, caller: Record<string, string>) {
    this.#client = new Client(address, channel, CHANNEL_OPTIONS);
    this.#metadata = Metadata.fromHttp2Headers(caller);
  }

  /** To a server in development mode, which believes who the caller says that it is. */
  static development(address: string, principal: string): Connection {
    return new Connection(address, credentials.createInsecure(), { "x-principal": principal });
  }

  /**
   * By TLS and with a token, which gRPC never sends over a connection that is not encrypted. The token is read
   * for each call: it may be renewed. `authorities` are PEM; without them those that Node trusts count.
   */
  static production(address: string, readToken: () => Promise<string>, authorities?: Buffer): Connection {
    const caller = credentials.createFromMetadataGenerator((_, done) => {
      readToken().then(
        (token) => done(null, Metadata.fromHttp2Headers({ authorization: `Bearer ${token}` })),
        (error: Error) => done(error),
      );
    });
    const tls = credentials.createSsl(authorities ?? null);
    return new Connection(address, credentials.combineChannelCredentials(tls, caller), {});
  }

  /** Ends the channel. Calls that still run end by themselves. */
  close(): void {
    this.#client.close();
  }

  /**
   * Calls with a deadline, and sends the same request again where its reason allows that. A change must have a
   * `requestId`: without one a retry might do it twice.
   */
  async call<Request extends object, Response>(
    method: Method<Request, Response, false>,
    request: Request,
    milliseconds = CALL_MILLISECONDS,
  ): Promise<Response> {
    if ("requestId" in request && !request.requestId) {
      throw new TypeError(`${method.path} needs a requestId, made once per intended change`);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(method, request, milliseconds);
      } catch (error) {
        if (!(error instanceof ServiceError) || attempt === ATTEMPTS || !isRetried(error)) throw error;
        await pause(error.retryAfterMilliseconds ?? (0.5 + Math.random() / 2) * 200 * 2 ** attempt);
      }
    }
  }

  /** All pages of a list. A page may be empty and not be the last: its token decides. */
  async *pages<Request extends { pageToken: string }, Response extends { nextPageToken: string }>(
    method: Method<Request, Response, false>,
    request: Request,
  ): AsyncGenerator<Response, void> {
    for (let pageToken = ""; ;) {
      const page = await this.call(method, { ...request, pageToken });
      yield page;
      if (!page.nextPageToken) return;
      pageToken = page.nextPageToken;
    }
  }

  /** Opens a stream, which ends after so many milliseconds at the latest. It is not retried. */
  stream<Request, Response>(
    method: Method<Request, Response, true>,
    request: Request,
    milliseconds: number,
  ): ClientReadableStream<Response> {
    return this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      this.#metadata,
      { deadline: Date.now() + milliseconds },
    );
  }

  #send<Request, Response>(
    method: Method<Request, Response, false>,
    request: Request,
    milliseconds: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata,
        { deadline: Date.now() + milliseconds },
        (error, response) => (error ? reject(new ServiceError(error)) : resolve(response as Response)),
      );
    });
  }
}

/**
 * Whether a call may be sent again as it is, with its request id. UNAVAILABLE is not among them: the channel
 * has retried it already.
 */
function isRetried(error: ServiceError): boolean {
  return RETRIED_REASONS.has(error.reason) || error.code === status.DEADLINE_EXCEEDED;
}

/** Make one for each intended change, and keep it with the request until there is an answer. */
export function newRequestId(): string {
  return randomUUID();
}
