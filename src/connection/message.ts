/** A complete message as received. Text is valid UTF-8. */
export interface Message { readonly data: Buffer, readonly isBinary: boolean }
