let original

/**
 * Returns an element for a pane. The page contains the first one, so that its field takes text before the modules are loaded. The others
 * are copies of it, as it was at first.
 */
export function paneElement (container) {
  const isFirst = original === undefined
  const first = document.querySelector('.pane')
  original ??= first.cloneNode(true)
  if (isFirst) return { element: first, isFirst }
  const element = original.cloneNode(true)
  const field = element.querySelector('.field')
  field.value = ''
  delete field.form.dataset.submitted
  field.autofocus = false
  for (const ofFirst of element.querySelectorAll('[id], .open-side, .copy-link')) ofFirst.remove()
  container.append(element)
  return { element, isFirst }
}
