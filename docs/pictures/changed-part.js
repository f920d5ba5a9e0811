// Runs in a browser, because Node can't read images.

let last

/** Returns the smallest rectangle that has changed since the last call. */
window.changedPart = async (png) => {
  const image = await window.createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob())
  const { width, height } = image
  const canvas = new window.OffscreenCanvas(width, height)
  const context = canvas.getContext('2d')
  context.drawImage(image, 0, 0)
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer)
  let [left, top, right, bottom] = [width, height, 0, 0]
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] === last?.[i]) continue
    const [x, y] = [i % width, Math.floor(i / width)]
    ;[left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)]
  }
  last = pixels
  if (right === 0) return undefined
  // Frames begin at even numbers.
  const [x, y] = [left & ~1, top & ~1]
  const part = new window.OffscreenCanvas(right - x, bottom - y)
  part.getContext('2d', { alpha: false }).drawImage(canvas, -x, -y)
  // Tried: without loss, and with transparent pixels where nothing has changed. Both take twice as many bytes.
  const bytes = new Uint8Array(await (await part.convertToBlob({ type: 'image/webp', quality: 0.85 })).arrayBuffer())
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return { x, y, width: part.width, height: part.height, webp: window.btoa(binary) }
}
