import { estimatedCost, STORE_METHODS, type StoreMethod } from '../../store/index.ts';
import type { CountedRequests } from '../workspace.ts';

/** What a command asked of the store of one repository. */
export interface RequestsToStore {
  /** Requests by method, with those that failed and were made again; of listings, their pages. */
  requests: Record<StoreMethod, number>;
  failed: number;
  sentBytes: number;
  receivedBytes: number;
  /** What a request took on average, of the methods that were used. */
  meanMs: Partial<Record<StoreMethod, number>>;
  /** In the currency of the plan's prices, else US dollars: an estimate. */
  estimatedCost: number;
}

export function requestsByRepository(counted: ReadonlyMap<string, CountedRequests>): Record<string, RequestsToStore> {
  return Object.fromEntries([...counted].map(([name, each]) => [name, requestsTo(each)]));
}

function requestsTo({ metrics, prices }: CountedRequests): RequestsToStore {
  const { methods } = metrics;
  const used = STORE_METHODS.filter((method) => methods[method].calls > 0);
  return {
    requests: Object.fromEntries(STORE_METHODS.map((method) => [method, methods[method].calls])) as Record<
      StoreMethod,
      number
    >,
    failed: STORE_METHODS.reduce((sum, method) => sum + methods[method].failures, 0),
    sentBytes: methods.put.bytes,
    receivedBytes: methods.get.bytes,
    meanMs: Object.fromEntries(
      used.map((method) => [method, Math.round((methods[method].totalMs / methods[method].calls) * 10) / 10]),
    ),
    estimatedCost: Number(estimatedCost(metrics, prices).toPrecision(3)),
  };
}
