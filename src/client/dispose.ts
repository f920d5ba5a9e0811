/// <reference lib="esnext.disposable" preserve="true" />

/** `Symbol.dispose`, or, where the platform has none, the symbol that compilers of `using` look up instead. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')
