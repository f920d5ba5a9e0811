/** A part of the picture: a still WebP, its place, and the time until the next one. */
export interface Frame {
  /** whole file, as browsers encode it */
  readonly webp: Uint8Array
  /** even */
  readonly x: number
  /** even */
  readonly y: number
  readonly width: number
  readonly height: number
  /** ms */
  readonly duration: number
}

const ANIMATION = 0x02
/** The frame replaces what is below it, and stays. */
const NO_BLENDING = 0x02

/**
 * Joins stills to an animated WebP that repeats. The container is a list of chunks; the images in it stay as they are.
 * https://developers.google.com/speed/webp/docs/riff_container
 */
export function animatedWebp (width: number, height: number, frames: readonly Frame[]): Buffer {
  const content = [
    chunk('VP8X', Buffer.concat([Buffer.from([ANIMATION, 0, 0, 0]), number(width - 1, 3), number(height - 1, 3)])),
    // The colour of the background is unused. Repeats without end.
    chunk('ANIM', Buffer.concat([number(0, 4), number(0, 2)])),
    ...frames.map((frame) => chunk('ANMF', Buffer.concat([
      number(frame.x / 2, 3), number(frame.y / 2, 3), number(frame.width - 1, 3), number(frame.height - 1, 3), number(frame.duration, 3),
      Buffer.from([NO_BLENDING]), imageOf(frame.webp)
    ])))
  ]
  return chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...content]))
}

/** Returns the chunks of a still that have its pixels, without colour profile and metadata. */
function imageOf (webp: Uint8Array): Buffer {
  const file = Buffer.from(webp)
  const chunks: Buffer[] = []
  for (let start = 12; start < file.length;) {
    const size = file.readUInt32LE(start + 4)
    const end = start + 8 + size + size % 2
    if (['ALPH', 'VP8 ', 'VP8L'].includes(file.toString('latin1', start, start + 4))) chunks.push(file.subarray(start, end))
    start = end
  }
  return Buffer.concat(chunks)
}

/** Returns a chunk: its name, its size and its content, padded to an even length. */
function chunk (name: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(name), number(content.length, 4), content, Buffer.alloc(content.length % 2)])
}

/** Returns a number with its lowest byte first. */
function number (value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}
