// Loads older messages page by page, until the room has no more or the list is full.
import { byId, setText } from './dom.js'

/**
 * @param messages the list to which they are added
 * @param request requests the page before a position; returns false while there is no connection
 * @param showError shows an error to the user
 */
export function olderMessages (messages, request, showError) {
  const button = byId('chat-older')
  const beginning = byId('chat-beginning')
  let loading

  function show (isBeginning, words = 'Beginning of the room.') {
    if (isBeginning && document.activeElement === button) button.parentElement.focus()
    button.hidden = isBeginning
    setText(beginning, isBeginning && messages.oldest ? words : '')
  }

  /** Returns whether the list can hold more. If it is full, shows a note. */
  function check () {
    if (messages.full) show(true, 'This page shows at most 1,000 messages.')
    return !messages.full
  }

  async function load () {
    if (loading || button.hidden || !check()) return
    const page = loading = request(messages.oldest)
    try {
      const loaded = await page
      // The list may have been replaced while the page was loading.
      if (!loaded || loading !== page) return
      messages.showOlder(loaded.messages)
      if (!loaded.more) show(true, loaded.complete ? undefined : 'Earlier messages are no longer stored.')
    } catch ({ message }) {
      if (loading === page) showError(`Older messages could not be loaded: ${message}.`)
    } finally {
      if (loading === page) loading = undefined
    }
  }

  button.onclick = load
  return {
    load,
    check,
    /** Called when the list has the newest `received` messages, after a request for `requested` messages. */
    startOver (received, requested) {
      loading = undefined
      show(received === 0)
      // If fewer were received than requested, there are no more, or the answer reached its size limit.
      if (received > 0 && received < requested) load()
    }
  }
}
