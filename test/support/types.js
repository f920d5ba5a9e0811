import { dirname, sep } from 'node:path'
import { ESLint } from 'eslint'
import { plugins } from 'neostandard'
import ts from 'typescript'

// Checks the types, and reports promises that nobody awaits. The rule for promises needs the types: here it uses those of the
// compiler, while `eslint .` would compute all of them again. Of each program, the files in the folder of its configuration are
// checked.
// Usage: node types.js TSCONFIG...

const { parser, plugin } = plugins['typescript-eslint']

/** The files that were parsed, for all programs: their configurations parse files in the same way. */
const parsed = new Map()

const format = {
  getCanonicalFileName: (name) => name, getCurrentDirectory: () => process.cwd(), getNewLine: () => ts.sys.newLine
}

function programOf (configuration) {
  const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile(configuration, undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic (error) { throw new Error(ts.formatDiagnostic(error, format)) }
  })
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile
  host.getSourceFile = (name, ...rest) => {
    if (!parsed.has(name)) parsed.set(name, read(name, ...rest))
    return parsed.get(name)
  }
  return ts.createProgram({ rootNames: fileNames, options, host, configFileParsingDiagnostics: errors })
}

/** Resolves with the report of the promises that nobody awaits. */
async function forgottenPromises (program, files) {
  const eslint = new ESLint({
    overrideConfigFile: true,
    overrideConfig: {
      files: ['**/*.ts'],
      linterOptions: { reportUnusedDisableDirectives: 'off' },
      languageOptions: { parser, parserOptions: { programs: [program] } },
      plugins: { '@typescript-eslint': plugin },
      rules: {
        '@typescript-eslint/no-floating-promises': ['error', {
          // A test waits for its subtests.
          allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: 'test' }, { from: 'package', package: '@tapjs/core', name: 'test' }]
        }]
      }
    }
  })
  const { format } = await eslint.loadFormatter('stylish')
  return await format(await eslint.lintFiles(files))
}

for (const configuration of process.argv.slice(2).map((path) => ts.sys.resolvePath(path))) {
  const program = programOf(configuration)
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(dirname(configuration) + sep))
  const faults = ts.sortAndDeduplicateDiagnostics(files.flatMap((file) => ts.getPreEmitDiagnostics(program, file)))
  const forgotten = await forgottenPromises(program, files.map(({ fileName }) => fileName).filter((name) => !name.includes('/node_modules/') && !name.endsWith('.d.ts')))
  process.stdout.write(ts.formatDiagnostics(faults, format) + forgotten)
  if (faults.length > 0 || forgotten !== '') process.exitCode = 1
}
