// The tab "Wire": the frames of a person's connection as they are sent and received, linked to the messages that they are about.
import { build, button } from '../dom.js'
import { copyText } from '../room/copy.js'
import { framesAbout } from './frames.js'
import { frameRow } from './frame-row.js'
import { frameText } from './frame-text.js'

const DRAW_INTERVAL = 200

/** Fills the tab. @param people array of `{ person, link }` @param isShown returns whether the tab is visible */
export function wireTab ({ panel, people, isShown }) {
  const select = build('select', { 'aria-label': 'Person', onchange: () => choose(Number(select.value)) })
  const pauseButton = button('Pause', () => pause(!isPaused), { 'aria-pressed': 'false' })
  const status = build('span', { role: 'status' })
  const showAll = button('Show all frames', () => filter(undefined), { hidden: true })
  const list = build('ol', { className: 'frames', tabIndex: 0, 'aria-label': 'Frames' })
  const rows = new Map()
  let chosen = 0
  let isPaused = false
  let isDue = false
  /** Position of the message whose frames are shown; undefined: all frames. */
  let about

  panel.append(
    build('div', { className: 'buttons' }, select, pauseButton, button('Copy', copy), button('Clear', clear), showAll, status),
    list)
  setInterval(() => { if (isShown()) for (const row of rows.values()) row.showAge() }, 1_000)

  const link = () => people[chosen].link
  const person = () => people[chosen].person
  const shownFrames = () => about === undefined ? link().frames.all : framesAbout(about, link().frames.all)

  function add (added) {
    added.link.frames.subscribe(() => { if (added.link === link()) changed() })
    listPeople()
  }

  function remove () {
    if (chosen >= people.length) choose(0)
    listPeople()
  }

  function listPeople () {
    select.hidden = people.length < 2
    const names = people.map(({ person }, index) => person.client?.member?.name || `Guest ${index + 1}`)
    select.replaceChildren(...names.map((name, index) => build('option', { value: index, selected: index === chosen }, name)))
  }

  function choose (index) {
    chosen = index
    about = undefined
    startOver()
  }

  function filter (position) {
    about = position
    showAll.hidden = position === undefined
    startOver()
    status.textContent = position === undefined ? '' : rows.size > 0 ? `Frames of this message: ${rows.size}.` : 'The frames of this message are no longer kept.'
  }

  function startOver () {
    for (const row of rows.values()) row.element.remove()
    rows.clear()
    draw(true)
    list.scrollTop = list.scrollHeight
  }

  /** Draws at intervals: at 100 messages a second, drawing each of them would delay the chat. */
  function changed () {
    if (isDue || !isShown()) return
    isDue = true
    setTimeout(() => {
      isDue = false
      draw(false)
    }, DRAW_INTERVAL)
  }

  /** @param always also while paused */
  function draw (always) {
    const frames = shownFrames()
    if (isPaused && !always) {
      const added = frames.filter(({ number }) => !rows.has(number)).length
      pauseButton.textContent = added === 0 ? 'Continue' : `Continue (${added} new)`
      return
    }
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 32
    const kept = new Set(frames.map(({ number }) => number))
    for (const [number, row] of rows) {
      if (kept.has(number)) continue
      row.element.remove()
      rows.delete(number)
    }
    const added = frames.filter((frame) => !rows.has(frame.number)).map((frame) => {
      const row = frameRow(frame, link().frames.all, showMessage)
      rows.set(frame.number, row)
      return row.element
    })
    list.append(...added)
    for (const row of rows.values()) row.showDelivery()
    if (isAtEnd && added.length > 0) list.scrollTop = list.scrollHeight
  }

  async function showMessage (room, position) {
    if (room !== person().room?.name) await person().show(room)
    person().highlight(position)
  }

  function pause (on) {
    isPaused = on
    pauseButton.setAttribute('aria-pressed', on)
    pauseButton.textContent = on ? 'Continue' : 'Pause'
    if (!on) draw(true)
  }

  async function copy () {
    const frames = shownFrames()
    status.textContent = await copyText(frames.map(frameText).join('\n')) ? `${frames.length} frames copied.` : 'The browser does not allow this page to copy.'
  }

  function clear () {
    link().frames.clear()
    filter(undefined)
  }

  for (const each of people) add(each)
  return {
    add,
    remove,
    /** Called when the tab is shown. */
    shown () {
      listPeople()
      draw(false)
      list.scrollTop = list.scrollHeight
    },
    /** Shows the frames of a message. */
    inspect (inspected, position) {
      chosen = people.findIndex(({ person }) => person === inspected)
      pause(false)
      listPeople()
      filter(position)
      list.focus()
    }
  }
}
