import t, { type Test } from 'tap'
import { launch, skip } from '../support/chromium.ts'
import { buttonOf, openProof, shows } from './proof-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

t.test('the echo tab', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function openEcho (t: Test) {
    const window = await openProof(t, browser)
    await shows(window.drawer, '.state', 'connected')
    await window.drawer.getByRole('tab', { name: 'Echo' }).click()
    await shows(window.drawer, '.state', 'Connected.')
    return window
  }

  t.test('it connects when it is opened, and shows replies with their round trip', async (t) => {
    const { drawer, sockets, page, complaints } = await openEcho(t)
    t.strictSame(sockets.map((url) => new URL(url).pathname), ['/chat', '/echo'])
    await drawer.getByLabel('Text').fill('héllo')
    await page.keyboard.press('Enter')
    await shows(drawer, '.echoes .received', 'héllo')
    await shows(drawer, '.figure', /^Round trip of the last 1: minimum [\d.]+ ms, median [\d.]+ ms, maximum [\d.]+ ms$/)
    t.strictSame(complaints, [])
  })

  t.test('a chosen and a dropped file return unchanged', async (t) => {
    const { drawer, page } = await openEcho(t)
    await drawer.getByLabel(/^File/).setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([0, 255, 7]) })
    await shows(drawer, '.echoes .received', '3 bytes, identical')
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([new Uint8Array(5)], 'b.bin'))
      document.querySelector('.proof-panel.echo')!.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
    })
    await shows(drawer, '.echoes .received', '5 bytes, identical')
  })

  t.test('a text and a file of over 64 KiB are announced as too large', async (t) => {
    const { drawer } = await openEcho(t)
    await drawer.getByLabel('Text').fill('é'.repeat(32 * 1024))
    t.equal(await drawer.locator('.echo .error').textContent(), '')
    await drawer.getByLabel('Text').fill('é'.repeat(32 * 1024 + 1))
    await shows(drawer, '.error', 'This text is over 64 KiB.')
    await drawer.getByLabel(/^File/).setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(64 * 1024 + 1) })
    await shows(drawer, '.error', 'This file is over 64 KiB.')
  })

  t.test('the echo is closed with a code, without a close frame, and by the server', async (t) => {
    const { drawer } = await openEcho(t)
    const buttons = async () => [await buttonOf(drawer, 'Connect').count(), await buttonOf(drawer, 'Disconnect').count()]
    t.strictSame(await buttons(), [0, 1])
    await drawer.getByText('Close the connection').click()
    await drawer.getByLabel('Code').fill('1001')
    await shows(drawer, '.hint', 'A page may only send 1000, and 3000 to 4999.')
    await drawer.getByLabel('Code').fill('4321')
    await drawer.getByLabel('Reason').fill('enough')
    await buttonOf(drawer, 'Close').click()
    await shows(drawer, '.state', "Closed (code 4321, defined by the app: enough). The echo doesn't reconnect by itself.")
    t.strictSame(await buttons(), [1, 0])
    await buttonOf(drawer, 'Connect').click()
    await shows(drawer, '.state', 'Connected.')
    await buttonOf(drawer, 'End without a close frame').click()
    await shows(drawer, '.state', 'Connection lost (code 1006, no close frame was received).')
    await buttonOf(drawer, 'Connect').click()
    await shows(drawer, '.state', 'Connected.')
    await buttonOf(drawer, 'Send an oversized message').click()
    await shows(drawer, '.state', /^Closed \(code 1009, the message was too large/)
  })

  t.end()
})
