/** What a value is, whatever form it has. The order is that of digests: it stays. */
export const VALUE_TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream', 'module'] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

/** The kinds of values that an RDB says by a byte. Source: what Redis to version 8 and Valkey to version 9 write. */
export const KIND = {
  string: 0,
  list: 1,
  set: 2,
  zsetText: 3,
  hash: 4,
  zset: 5,
  oldModule: 6,
  module: 7,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  stream: 15,
  hashListpack: 16,
  zsetListpack: 17,
  listQuicklist2: 18,
  stream2: 19,
  setListpack: 20,
  stream3: 21,
  /** Of Valkey alone: each field with the time that it expires at. */
  hashExpiring: 22,
  hashMetadata: 24,
  hashListpackExpiring: 25,
} as const;

const TYPES = new Map<number, ValueType>([
  [KIND.string, 'string'],
  ...[KIND.list, KIND.listZiplist, KIND.listQuicklist, KIND.listQuicklist2].map((kind) => [kind, 'list'] as const),
  ...[KIND.set, KIND.setIntset, KIND.setListpack].map((kind) => [kind, 'set'] as const),
  ...[KIND.zset, KIND.zsetText, KIND.zsetZiplist, KIND.zsetListpack].map((kind) => [kind, 'zset'] as const),
  ...[KIND.hash, KIND.hashZipmap, KIND.hashZiplist, KIND.hashListpack].map((kind) => [kind, 'hash'] as const),
  ...[KIND.hashExpiring, KIND.hashMetadata, KIND.hashListpackExpiring].map((kind) => [kind, 'hash'] as const),
  ...[KIND.stream, KIND.stream2, KIND.stream3].map((kind) => [kind, 'stream'] as const),
  [KIND.module, 'module'],
]);

/** Undefined where no server writes that. */
export function typeOfKind(kind: number, isValkey: boolean): ValueType | undefined {
  return kind === KIND.hashExpiring && !isValkey ? undefined : TYPES.get(kind);
}

export const OPCODE = {
  slotInfo: 244,
  function: 245,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resize: 251,
  expiresMs: 252,
  expiresSeconds: 253,
  database: 254,
  end: 255,
} as const;

/** The newest form that is known of each. */
export const NEWEST_RDB = { redis: 12, valkey: 80 } as const;
