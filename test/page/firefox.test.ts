import t from 'tap'
import { build, listen } from '../support/app.ts'
import { launchFirefox, skip } from '../support/firefox.ts'

t.setTimeout(300_000)

t.test('in Firefox, the page posts, receives, and resumes after a disconnect', { skip }, async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const firefox = await launchFirefox(t)
  await firefox.open(`http://127.0.0.1:${port}/demo/?room=den`)
  const rows = "[...document.querySelectorAll('[data-position]')].map((row) => row.textContent).join()"
  const button = (name: string) => `[...document.querySelectorAll('#drawer button')].find(({ textContent }) => textContent === '${name}')`

  await firefox.until("document.querySelector('#drawer [role=tablist]')")
  // Whether it is open depends on the size of the window.
  await firefox.evaluate("if (document.querySelector('#drawer').hidden) document.querySelector('#proof').click()")
  await firefox.until("document.querySelector('#drawer .state[data-state=open]')")
  await app.chat.publish('den', { text: 'from the server' })
  await firefox.until(`${rows}.includes('from the server')`)

  await firefox.evaluate(`${button('Disconnect')}.click()`)
  await firefox.until("document.querySelector('#drawer .state[data-state=disconnected]')")
  await app.chat.publish('den', { text: 'missed' })
  await firefox.evaluate(`(() => {
    const field = document.querySelector('.field')
    field.value = 'written offline'
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
    field.form.requestSubmit()
  })()`)
  await firefox.evaluate(`${button('Reconnect')}.click()`)
  await firefox.until("document.querySelector('#drawer').textContent.includes('stored once')")
  await firefox.until(`${rows}.includes('written offline')`)
  t.strictSame((await app.chat.history('den')).entries.map(({ text }) => text), ['from the server', 'missed', 'written offline'])
  t.strictSame(firefox.complaints, [])
})
