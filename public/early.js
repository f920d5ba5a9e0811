// Runs before the page is drawn. The drawer has its place from the start, so that the room doesn't move when the drawer is loaded. Enter in
// the field is remembered until the modules are loaded, which then send the message.
{
  document.addEventListener('keydown', (event) => {
    const { form } = event.target
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !form?.matches('.composer:not([data-ready])')) return
    event.preventDefault()
    form.dataset.submitted = ''
  })

  let kept = null
  try {
    kept = window.localStorage.getItem('fastify-chat drawer')
  } catch { /* Storage is disabled. */ }
  const hasRoom = window.matchMedia('(min-width: 1100px) and (min-height: 700px)').matches
  if (kept === null ? hasRoom : kept === 'open') document.documentElement.dataset.drawer = 'open'
}
