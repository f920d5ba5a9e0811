/** Calls a function when files are dropped on an element or pasted into it. Otherwise, the browser replaces the page with a dropped file. */
export function refuseFiles (element, onFiles) {
  const refuse = (event) => {
    const { types } = event.dataTransfer ?? event.clipboardData
    if (!types.includes('Files') || types.includes('text/plain')) return
    event.preventDefault()
    if (event.type !== 'dragover') onFiles()
  }
  for (const type of ['dragover', 'drop', 'paste']) element.addEventListener(type, refuse)
}
