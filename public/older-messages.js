// Older messages: loaded page by page, until the room has no more or the list is full.
import { say } from './dom.js'

/**
 * @param messages the list to which they are added
 * @param ask requests the page before a position; returns false while there is no connection
 * @param complain shows an error to the user
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

  /** Returns whether the list can hold more. If it is full, shows a note. */
  function check () {
    if (messages.full) show(true, 'This page shows no more than 1,000 messages.')
    return !messages.full
  }

  async function load () {
    if (loading || button.hidden || !check()) return
    const request = loading = ask(messages.oldest)
    try {
      const page = await request
      // The list may have been replaced while the page was loading.
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
    /** Called when the list holds the newest `given` messages, after a request for `asked`. */
    startOver (given, asked) {
      loading = undefined
      show(given === 0)
      // Fewer than requested: there are no more, or the answer reached its size limit.
      if (given > 0 && given < asked) load()
    }
  }
}
