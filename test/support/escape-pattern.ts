/** Returns the source of a regular expression that matches a text literally. */
export function escapePattern (text: string): string { return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') }
