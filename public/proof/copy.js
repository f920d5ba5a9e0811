/** Copies a text. Resolves with whether it was copied: browsers allow it only on secure pages, and may ask the user. */
export async function copyText (text) {
  try {
    await window.navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
