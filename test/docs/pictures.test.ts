import t from 'tap'
import { animatedWebp, type Frame } from '../../docs/pictures/animated-webp.ts'
import { openTab, skip } from '../support/chromium.ts'

t.setTimeout(300_000)

t.test('a browser decodes the frames of an animated WebP, with their durations', { skip }, async (t) => {
  const page = await openTab(t)
  // Only secure pages have ImageDecoder.
  await page.route('https://example.test/', (route) => route.fulfill({ body: '' }))
  await page.goto('https://example.test/')

  const still = async (colour: string, width: number, height: number) => {
    const base64 = await page.evaluate(`(async () => {
      const canvas = new OffscreenCanvas(${width}, ${height})
      const context = canvas.getContext('2d', { alpha: false })
      context.fillStyle = '${colour}'
      context.fillRect(0, 0, ${width}, ${height})
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp' })).arrayBuffer())
      return btoa(String.fromCharCode(...bytes))
    })()`) as string
    return Buffer.from(base64, 'base64')
  }
  const frames: Frame[] = [
    { webp: await still('white', 40, 30), x: 0, y: 0, width: 40, height: 30, duration: 300 },
    { webp: await still('black', 11, 9), x: 20, y: 10, width: 11, height: 9, duration: 700 }
  ]
  const decoded = await page.evaluate(`(async () => {
    const data = Uint8Array.from(atob('${animatedWebp(40, 30, frames).toString('base64')}'), (char) => char.charCodeAt(0))
    const decoder = new ImageDecoder({ data, type: 'image/webp' })
    await decoder.completed
    await decoder.tracks.ready
    const { frameCount, repetitionCount } = decoder.tracks.selectedTrack
    const found = []
    for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
      const { image } = await decoder.decode({ frameIndex })
      const context = new OffscreenCanvas(40, 30).getContext('2d')
      context.drawImage(image, 0, 0)
      const brightness = (x, y) => context.getImageData(x, y, 1, 1).data[0] > 127 ? 'white' : 'black'
      found.push([image.duration / 1000, brightness(5, 5), brightness(25, 15), brightness(32, 15)])
    }
    return { repeats: repetitionCount === Infinity, found }
  })()`)
  t.strictSame(decoded, { repeats: true, found: [[300, 'white', 'white', 'white'], [700, 'white', 'black', 'white']] })
})
