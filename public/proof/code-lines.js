// Shows source text: a line for each line, and a link for each import.
import { build, button } from './build.js'

/** Matches the path of an import of another file. */
const specifier = /(?<=\b(?:from|import\() ?')\.[^']+(?=')/

/** @param onImport called with the path of an import that is clicked */
export function codeLines (text, onImport) {
  return text.trimEnd().split('\n').map((line) => build('span', { className: isComment(line) ? 'source-line comment' : 'source-line' }, ...parts(line, onImport), '\n'))
}

function parts (line, onImport) {
  const [path] = specifier.exec(line) ?? []
  if (path === undefined) return [line]
  const [before, after] = line.split(path)
  return [before, button(path, () => onImport(path), { className: 'import' }), after]
}

function isComment (line) {
  return /^\s*(\/\/|\/\*|\*)/.test(line)
}
