// What was said before: loaded page by page, as far back as the room and this page go.
import { say } from './words.js'

/**
 * @param messages the list they come into
 * @param ask asks the server for a page before a position; false while it can't be asked
 * @param complain tells the reader what went wrong
 */
export function olderMessages (messages, ask, complain) {
  const button = document.getElementById('chat-older')
  const beginning = document.getElementById('chat-beginning')
  let loading

  function show (isBeginning, words = 'Here the room begins.') {
    if (isBeginning && document.activeElement === button) button.parentElement.focus()
    button.hidden = isBeginning
    say(beginning, isBeginning && messages.oldest ? words : '')
  }

  /** Whether there is room for more; if not, says so. */
  function check () {
    if (messages.full) show(true, 'This page shows no more than 1,000 messages.')
    return !messages.full
  }

  async function load () {
    if (loading || button.hidden || !check()) return
    const request = loading = ask(messages.oldest)
    try {
      const page = await request
      // Another view may have taken the place of the one that it was asked for.
      if (!page || loading !== request) return
      messages.showOlder(page.messages)
      if (!page.more) show(true, page.complete ? undefined : 'What was said before is gone.')
    } catch ({ message }) {
      if (loading === request) complain(`Older messages could not be loaded: ${message}.`)
    } finally {
      if (loading === request) loading = undefined
    }
  }

  button.onclick = load
  return {
    load,
    check,
    /** The list holds that many of the newest messages, of that many asked for. */
    startOver (given, asked) {
      loading = undefined
      show(given === 0)
      // Fewer than were asked for: all there is, or all that one answer may hold.
      if (given > 0 && given < asked) load()
    }
  }
}
