/** A global variable that only pages and workers have. */
interface PageGlobals { readonly location?: { readonly href: string } }

/**
 * Returns the URL for a WebSocket. An `http:` URL becomes `ws:`, and a relative one is resolved with the address of the page, because some
 * browsers reject both.
 * @throws TypeError. The message doesn't contain the URL, which may contain a password
 */
export function socketUrl (url: string): string {
  try {
    const { href } = new URL(url, (globalThis as PageGlobals).location?.href)
    // React Native's URL may add a slash to the path.
    if (/^(ws|http)s?:[^#]+$/.test(href)) return /^ws/i.test(url) ? url : href.replace(/^http/, 'ws')
  } catch {
    // Not a URL.
  }
  throw new TypeError('url must be a ws:, wss:, http: or https: URL without a fragment')
}
