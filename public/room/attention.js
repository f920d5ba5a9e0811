/** Returns whether the user looks at this page. */
export function isAttentive () { return document.visibilityState === 'visible' && document.hasFocus() }
