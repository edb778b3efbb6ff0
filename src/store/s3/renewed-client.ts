import type { S3Client } from '@aws-sdk/client-s3';
import { createClient, type S3StoreOptions } from './s3-client.ts';
import { isExpired } from './s3-error.ts';

/** A client that is made anew when its credentials have expired. */
export class RenewedClient {
  readonly #options: S3StoreOptions;
  #client: S3Client;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.#client = createClient(options);
  }

  /** Sends a request, and once more where the credentials had expired. @throws what the client threw */
  async send<T>(send: (client: S3Client) => Promise<T>): Promise<T> {
    const client = this.#client;
    try {
      return await send(client);
    } catch (error) {
      if (!isExpired(error)) throw error;
      if (this.#client === client) this.#client = createClient(this.#options);
      return send(this.#client);
    }
  }
}
