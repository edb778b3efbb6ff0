import { settled } from '../../foundation/promises.ts';
import { addAcknowledgement } from './acknowledgement.ts';
import { createApi } from './api.ts';
import type { ApiContext } from './context.ts';
import { assertProtected, isLoopback, type ListenAddress } from './listen-address.ts';
import { addProbes } from './probes.ts';
import { type ApiServer, listen, type ServerLimits } from './server.ts';
import type { TlsFiles } from './tls.ts';

/** Where and how the API is served. */
export interface ApiOptions {
  address: ListenAddress;
  tls?: TlsFiles;
  /** Whether somebody said that tokens may go over a network as they are. */
  insecure: boolean;
  limits?: ServerLimits;
}

export interface RunningApi extends ApiServer {
  /** When `writeCalls` is to be called, in milliseconds since 1970; infinite where nothing waits. */
  nextCallsMs(): number;
  /** Has the ledger told of the hours that are over. */
  writeCalls(): Promise<void>;
}

/** Serves the API. @throws bad-usage where the address may not or cannot be listened on; secret-unavailable for a certificate */
export async function startApi(
  context: ApiContext,
  { address, tls, insecure, limits }: ApiOptions,
): Promise<RunningApi> {
  assertProtected(address, { hasTls: tls !== undefined, insecure });
  const { application, authentication, calls } = createApi(context);
  addAcknowledgement(application, context);
  addProbes(application, { context, authentication, calls, isLocal: isLoopback(address.host) });
  const server = await listen(application, { address, ...(tls && { tls }), ...(limits && { limits }) });
  return {
    ...server,
    nextCallsMs: () => calls.nextMs,
    writeCalls: () => calls.writeEnded(),
    close: async () => {
      const closed = server.close();
      await settled(closed);
      await calls.writeEnded(true);
      await closed;
    },
  };
}
