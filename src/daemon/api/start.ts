import { settled } from '../../foundation/promises.ts';
import { addAcknowledgement } from './acknowledgement.ts';
import { createApi } from './api.ts';
import type { CallRecord } from './call-record.ts';
import type { ApiContext } from './context.ts';
import { assertProtected, isLoopback, type ListenAddress } from './listen-address.ts';
import { addProbes } from './probes.ts';
import { type ApiServer, listen, type ServerLimits } from './server.ts';
import type { TlsFiles } from './tls.ts';
import { type Answers, waitingAnswers } from './waiting.ts';

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

/** The address of the API, taken: that the daemon waits is all that is answered until there is one. */
export interface ListeningApi extends ApiServer {
  /** From here on the API is answered. */
  serve(context: ApiContext): RunningApi;
}

/** @throws bad-usage where the address may not be listened on, address-unavailable where it cannot; secret-unavailable for a certificate */
export async function listenForApi(
  { address, tls, insecure, limits }: ApiOptions,
  version: string,
): Promise<ListeningApi> {
  assertProtected(address, { hasTls: tls !== undefined, insecure });
  const isLocal = isLoopback(address.host);
  let now: Answers = waitingAnswers({ version, isLocal });
  const answers: Answers = { fetch: (...request) => now.fetch(...request) };
  const server = await listen(answers, { address, ...(tls && { tls }), ...(limits && { limits }) });
  return {
    ...server,
    serve(context) {
      const { application, authentication, calls } = createApi(context);
      addAcknowledgement(application, context);
      addProbes(application, { context, authentication, calls, isLocal });
      now = application;
      return running(server, calls);
    },
  };
}

function running(server: ApiServer, calls: CallRecord): RunningApi {
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
