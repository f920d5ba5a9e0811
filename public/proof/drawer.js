// The drawer: shows what happens between a person and the server. The module of a tab is loaded when the tab is opened.
import { tabList } from './tabs.js'
import { build, button } from '../dom.js'

const tabs = { connection: 'Connection', wire: 'Wire', echo: 'Echo', source: 'Source' }

/**
 * @param element the empty <aside>
 * @param toggle the button that shows and hides it
 * @param config the URLs of the routes
 * @param people array of `{ person, link }`; the drawer adds the second person to it
 * @param addPerson adds a second person to the page; resolves with its `{ person, link }`
 */
export function startDrawer ({ element, button: toggle, config, people, addPerson }) {
  const isOffered = { connection: people.length > 0, wire: people.length > 0, echo: config.echo, source: true }
  const offered = Object.keys(tabs).filter((id) => isOffered[id])
  const panels = new Map(offered.map((id) => [id, build('div', { id: `panel-${id}`, className: `proof-panel ${id}` })]))
  const list = tabList({
    label: 'Inspector',
    tabs: offered.map((id) => ({ id, label: tabs[id], panel: panels.get(id) })),
    onOpen: opened
  })
  /** Promises of the tabs that were opened, by id. */
  const started = new Map()
  let [current] = offered

  const starters = {
    async connection (panel) {
      const { connectionTab } = await import('./connection.js')
      return connectionTab({ panel, config, people, second: { add: addSecond, remove: removeSecond } })
    },
    async wire (panel) {
      const { wireTab } = await import('./wire.js')
      return wireTab({ panel, people, isShown: () => !element.hidden && current === 'wire' })
    },
    async echo (panel) {
      const { echoTab } = await import('./echo.js')
      return echoTab({ panel, url: config.echo })
    },
    async source (panel) {
      const { sourceTab } = await import('./source.js')
      return sourceTab({ panel })
    }
  }

  loadStyle(element)
  element.append(
    build('div', { className: 'proof-head' }, list.element,
      button('</>', () => drawer.showSource(`proof/${current}.js`), { 'aria-label': 'Source of this tab', className: 'proof-source' }),
      button('×', () => show(false), { 'aria-label': 'Close the drawer', className: 'proof-close' })),
    ...panels.values())
  toggle.onclick = () => show(element.hidden)
  // Decided before the page was drawn.
  show(people.length === 0 || document.documentElement.dataset.drawer === 'open', false)

  function show (open, byUser = true) {
    element.hidden = !open
    toggle.setAttribute('aria-expanded', open)
    if (byUser) {
      remember(open)
      if (open) list.focus(current)
      else toggle.focus()
    }
    if (open) list.open(current)
  }

  function opened (id) {
    current = id
    element.dataset.tab = id
    tab(id).then((started) => started.shown?.())
  }

  function tab (id) {
    if (!started.has(id)) started.set(id, start(id, panels.get(id)))
    return started.get(id)
  }

  async function start (id, panel) {
    try {
      return await starters[id](panel) ?? {}
    } catch ({ message }) {
      panel.append(build('p', { className: 'error', role: 'alert' }, `This tab could not be loaded: ${message}.`))
      return {}
    }
  }

  async function addSecond () {
    const second = await addPerson()
    people.push(second)
    for (const starting of started.values()) starting.then((tab) => tab.add?.(second))
  }

  function removeSecond () {
    const second = people.pop()
    for (const starting of started.values()) starting.then((tab) => tab.remove?.(second))
    second.person.close()
  }

  async function open (id) {
    if (element.hidden) show(true)
    list.open(id)
    return await tab(id)
  }

  const drawer = {
    /** Opens a tab: `connection`, `wire`, `echo` or `source`. Resolves with it. */
    open,
    /** Shows the frames of a message. */
    inspect: async (person, position) => (await open('wire')).inspect(person, position),
    /** Shows the source of a module, by its path from the page. */
    showSource: async (module) => (await open('source')).show(module)
  }
  return drawer
}

/** Keeps for the next visit whether the drawer is open. */
function remember (open) {
  try {
    window.localStorage.setItem('fastify-chat drawer', open ? 'open' : 'closed')
  } catch {
    // Storage is disabled: the next visit is like the first one.
  }
}

/** Loads the style sheet of the drawer, which is invisible until then. */
function loadStyle (element) {
  element.style.visibility = 'hidden'
  const onload = () => { element.style.visibility = '' }
  document.head.append(build('link', { rel: 'stylesheet', href: new URL('proof.css', import.meta.url).href, onload }))
}
