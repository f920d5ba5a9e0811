import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const path = (file: string) => fileURLToPath(new URL(`../../src/${file}`, import.meta.url))

/**
 * Returns the properties of interfaces that a file of src/ exports, inherited ones included, each with its comment.
 * @param names the file of each interface, by its name
 */
export function propertiesOf (names: Record<string, string>): Record<string, Map<string, string>> {
  const { config } = ts.readConfigFile(fileURLToPath(new URL('../../tsconfig.json', import.meta.url)), (file) => ts.sys.readFile(file)) as
    { config: { compilerOptions: object } }
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, path('..'))
  const program = ts.createProgram(Object.values(names).map(path), { ...options, noEmit: true })
  const checker = program.getTypeChecker()
  return Object.fromEntries(Object.entries(names).map(([name, file]) => {
    const source = program.getSourceFile(path(file))
    const symbol = source && checker.getSymbolAtLocation(source)
    const exported = symbol && checker.getExportsOfModule(symbol).find((each) => each.name === name)
    if (exported === undefined) throw new Error(`src/${file} exports no ${name}`)
    const properties = checker.getDeclaredTypeOfSymbol(exported).getProperties()
    const commentOf = (property: ts.Symbol) => ts.displayPartsToString(property.getDocumentationComment(checker)).replaceAll(/\s+/g, ' ')
    return [name, new Map(properties.map((property) => [property.name, commentOf(property)]))]
  }))
}
