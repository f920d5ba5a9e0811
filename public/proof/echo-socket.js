// A plain WebSocket to the echo route, without the chat client: open, send, receive, close.

/**
 * Connects.
 * @param events `onOpen ()`; `onReply (data, sent)` with what was sent, `{ data, ms }`, or undefined for a greeting; `onClose (event)`
 */
export function openEcho (url, times, { onOpen, onReply, onClose }) {
  const socket = new WebSocket(url)
  const unanswered = []
  let isOver = false
  socket.binaryType = 'arraybuffer'
  socket.onopen = onOpen
  socket.onclose = end
  socket.onmessage = ({ data }) => {
    // Replies arrive in the order of the messages. A greeting is not a reply.
    const sent = unanswered.shift()
    if (sent === undefined) return onReply(data)
    const ms = performance.now() - sent.at
    times.add(ms)
    onReply(data, { data: sent.data, ms })
  }

  function end (event) {
    if (isOver) return
    isOver = true
    socket.onopen = socket.onmessage = null
    onClose(event)
  }

  return {
    // send() throws before the socket is open, and drops the message silently after it has closed.
    get isOpen () { return !isOver && socket.readyState === WebSocket.OPEN },

    send (data) {
      unanswered.push({ data, at: performance.now() })
      socket.send(data)
    },

    /** Closes with a close frame. @throws for a code that a page may not send */
    close (code, reason) { socket.close(code, reason) },

    /** Simulates a lost network. A page can't end a WebSocket without a close frame, so its later events are ignored. */
    breakOff () {
      socket.close()
      end(new CloseEvent('close', { code: 1006 }))
    }
  }
}
