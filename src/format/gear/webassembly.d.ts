/** What is used of WebAssembly's interface, which the types of Node leave out. */
declare namespace WebAssembly {
  class Memory {
    readonly buffer: SharedArrayBuffer;
    constructor(size: { initial: number; maximum: number; shared: true });
  }
  class Module {
    constructor(binary: Uint8Array);
  }
  class Instance {
    readonly exports: Record<string, unknown>;
    constructor(module: Module, imports: Record<string, Record<string, Memory>>);
  }
  interface Global {
    /** A 32-bit integer here. */
    value: number;
  }
}
