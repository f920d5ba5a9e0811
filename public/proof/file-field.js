// A field for a file. A file can also be dropped on the panel.
import { build } from '../dom.js'

/** @param onFile called with each file */
export function fileField ({ panel, onFile }) {
  const input = build('input', { type: 'file', onchange })
  panel.ondragover = (event) => {
    event.preventDefault()
    panel.classList.add('dropping')
  }
  panel.ondragleave = () => panel.classList.remove('dropping')
  panel.ondrop = (event) => {
    event.preventDefault()
    panel.classList.remove('dropping')
    for (const file of event.dataTransfer.files) onFile(file)
  }

  function onchange () {
    for (const file of input.files) onFile(file)
    input.value = ''
  }

  return build('label', { className: 'file' }, 'File, sent as binary. Or drop one here', input)
}
