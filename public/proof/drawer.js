// The drawer: shows what happens between a person and the server. Its tabs are loaded when they are opened.

/**
 * @param element the empty <aside>
 * @param button shows and hides the drawer
 * @param people array of `{ person, link }`; the drawer adds the second person to it
 * @param addPerson called to add a second person; returns `{ person, link }`
 */
export function startDrawer ({ element, button, config, people, addPerson }) {
  return {
    /** Opens a tab: `connection`, `wire`, `echo` or `source`. */
    open (tab) {},
    /** Shows the frames of a message. */
    inspect (person, position) {}
  }
}
