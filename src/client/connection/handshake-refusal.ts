/** The error of `ws` for the HTTP answer to a handshake, without the status. */
export const UNEXPECTED = 'Unexpected server response: '

/** The reason of a connection that the server closed before `welcome`, without a code. */
export const NO_CHAT = 'the server has no chat at this path'

/**
 * Matches the reason of a handshake that the server refused, or whose answer wasn't that of a chat. The match has the HTTP status if it is
 * known. Recognises the errors of `ws`, of `app.injectWS` and of the test kit. Doesn't match a temporary answer: that of a server or a
 * proxy that is overloaded or restarts.
 */
export function refusalIn (reason: string): readonly string[] {
  return /subprotocol|no chat|(?:response:|refused with) (?!5|408|425|429)(\d+)/.exec(reason) ?? []
}

/**
 * Requests the URL by HTTP, because browsers don't report why a handshake failed. Resolves with the reason if the server answers with
 * an error that the page may read, otherwise with ''.
 */
export async function probe (url: string): Promise<string> {
  try {
    const { ok, status } = await fetch(url.replace(/^ws/i, 'http'), { credentials: 'include', cache: 'no-store' } as object)
    return ok ? '' : UNEXPECTED + status
  } catch {
    return ''
  }
}
