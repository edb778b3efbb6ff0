import { createRequire } from 'node:module';

/** C functions of this process: of the system's library, and of what Node's own binary holds. */

type NativeFunction = (...values: unknown[]) => unknown;
interface Koffi {
  load(path: null): { func(declaration: string): NativeFunction };
  errno(): number;
}
let koffi: Koffi | undefined;
let own: ReturnType<Koffi['load']> | undefined;

/** Loaded at first use: a command that needs no such function need not pay for it. */
function loadKoffi(): Koffi {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi;
  return koffi;
}

/** @param declaration in C. @throws when this process has no such function */
export function nativeFunction<F>(declaration: string): F {
  own ??= loadKoffi().load(null);
  return own.func(declaration) as F;
}

/** Undefined where this process has no such function. */
export function nativeFunctionIfThere<F>(declaration: string): F | undefined {
  try {
    return nativeFunction<F>(declaration);
  } catch (error) {
    // There is no code for it: the message says "Cannot find function".
    if (error instanceof Error && error.message.includes('find function')) return undefined;
    throw error;
  }
}

/** The number of the error of the last native function that this thread called. */
export function nativeErrno(): number {
  return loadKoffi().errno();
}
