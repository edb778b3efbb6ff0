import { scrypt } from 'node:crypto';
import { awaitedLater } from './promises.ts';

/** What scrypt is run on, beside the password. Source: RFC 7914, section 2. */
export interface ScryptInput {
  salt: Uint8Array;
  /** CPU and memory cost, block size, parallelisation. */
  N: number;
  r: number;
  p: number;
}

const KEY_BYTES = 64;
/** A hostile input must not make us allocate or compute without end. */
const MEMORY_LIMIT_BYTES = 1024 * 1024 * 1024;
const MAX_PARALLELISATION = 64;

/** Whether these can be costs of scrypt, and are no more than anybody has asked for. */
export function isBounded({ N, r, p }: { N: unknown; r: unknown; p: unknown }): boolean {
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
  const powerOfTwo = whole(N) && Number.isInteger(Math.log2(N)) && N > 1;
  // scrypt takes 128 r N bytes for its work and 128 r p for its blocks.
  return powerOfTwo && whole(r) && whole(p) && 128 * r * (N + p) <= MEMORY_LIMIT_BYTES && p <= MAX_PARALLELISATION;
}

interface Begun {
  password: string;
  input: ScryptInput;
  coming: Promise<Buffer>;
}

let begun: Begun | undefined;

/** Begins a derivation that somebody will probably ask for: whoever asks for the same gets what comes of it. */
export function beginScrypt(password: string, input: ScryptInput): void {
  begun = { password, input, coming: awaitedLater(derive(password, input)) };
}

/** A key of 64 bytes, which takes another thread a tenth of a second or more. */
export function scryptKey(password: string, input: ScryptInput): Promise<Buffer> {
  const ahead = begun;
  if (ahead === undefined || !isSame(ahead, { password, input })) return derive(password, input);
  begun = undefined;
  return ahead.coming;
}

function isSame(ahead: Begun, { password, input }: Omit<Begun, 'coming'>): boolean {
  const { salt, N, r, p } = ahead.input;
  const isSameInput = Buffer.compare(salt, input.salt) === 0 && N === input.N && r === input.r && p === input.p;
  return isSameInput && ahead.password === password;
}

function derive(password: string, { salt, N, r, p }: ScryptInput): Promise<Buffer> {
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    scrypt(Buffer.from(password, 'utf8'), salt, KEY_BYTES, { N, r, p, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
