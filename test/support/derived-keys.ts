/**
 * Derives a key from a password once in a process, however often it is asked for: it takes a fifth of a second of a processor
 * each time, by design, and tests open the same repositories hundreds of times.
 */

import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

type Derived = (error: Error | null, key: Buffer) => void;

const derive = crypto.scrypt;
const derived = new Map<string, Buffer>();

function deriveOnce(
  password: crypto.BinaryLike,
  salt: crypto.BinaryLike,
  length: number,
  options: crypto.ScryptOptions,
  done: Derived,
): void {
  const name = JSON.stringify([password, salt, length, options]);
  const known = derived.get(name);
  if (known !== undefined) {
    setImmediate(done, null, Buffer.from(known));
    return;
  }
  derive(password, salt, length, options, (error, key) => {
    if (error === null) derived.set(name, Buffer.from(key));
    done(error, key);
  });
}

crypto.scrypt = deriveOnce as typeof crypto.scrypt;
syncBuiltinESMExports();
