// Shows source text: a line for each line, and a link for each import.
import { build } from '../dom.js'

/** Matches the path of an import of another file. */
const specifier = /(?<=\b(?:from|import\() ?')\.[^']+(?=')/

/** @param linkTo returns an element for the path of an import */
export function codeLines (text, linkTo) {
  return text.trimEnd().split('\n').map((line) => build('span', { className: isComment(line) ? 'source-line comment' : 'source-line' }, ...parts(line, linkTo), '\n'))
}

function parts (line, linkTo) {
  const [path] = specifier.exec(line) ?? []
  if (path === undefined) return [line]
  const [before, after] = line.split(path)
  return [before, linkTo(path), after]
}

function isComment (line) {
  return /^\s*(\/\/|\/\*|\*)/.test(line)
}
