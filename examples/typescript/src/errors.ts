/** What a refused or failed call says: its reason, and never its message, is what a program decides by. */

import { status, type ServiceError as GrpcError } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";

/** A field of the request that breaks a rule, by its path, such as `lines[0].quantity`. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** A call that did not succeed. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: status;
  /**
   * Stable, and listed in the .proto files. It is empty if the call never came to an answer of the service:
   * the connection broke, or the deadline passed at the client.
   */
  readonly reason: string = "";
  readonly metadata: Readonly<Record<string, string>> = {};
  readonly violations: readonly FieldViolation[] = [];
  readonly retryAfterMilliseconds: number | undefined;

  /** Decodes the google.rpc.Status that the service sends with an error. */
  constructor(error: GrpcError) {
    super(error.details, { cause: error });
    this.code = error.code;
    const [encoded] = error.metadata.get("grpc-status-details-bin");
    const details = encoded instanceof Buffer ? Status.decode(encoded).details : [];
    for (const { typeUrl, value } of details) {
      switch (typeUrl) {
        case "type.googleapis.com/google.rpc.ErrorInfo": {
          const info = ErrorInfo.decode(value);
          this.reason = info.reason;
          this.metadata = info.metadata;
          break;
        }
        case "type.googleapis.com/google.rpc.BadRequest":
          this.violations = BadRequest.decode(value).fieldViolations;
          break;
        case "type.googleapis.com/google.rpc.RetryInfo": {
          const delay = RetryInfo.decode(value).retryDelay;
          this.retryAfterMilliseconds = delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
          break;
        }
      }
    }
  }

  override toString(): string {
    return `${status[this.code]} ${this.reason}: ${this.message}`;
  }
}
