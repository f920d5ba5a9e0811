import type { Message } from './message.ts'

/** Parses the frames of one client. Passes its messages to the reader, and answers its close frames. */
export interface FrameParser {
  /** Parses bytes. @param onParsed called when all of them are parsed, or with the error of a malformed frame */
  parse (bytes: Buffer, onParsed: (error?: Error | null) => void): void
  /** Ends parsing because of a malformed frame. */
  fail (error: Error): void
}

/** Receives the bytes of one client, and the messages that were parsed. */
export interface ByteReader {
  /** Called with each read. */
  read (chunk: Buffer): void
  /** Called with each message that the parser has read. */
  received (message: Message): void
  /**
   * Called after the last read. The reader MUST NOT pass bytes to the parser afterwards.
   * @param onParsed MUST be called once the parser has called back for all bytes; frees the parser
   */
  end (onParsed: () => void): void
}
