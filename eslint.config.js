import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    files: ['**/*.ts'],
    rules: {
      // `void` marks a promise that nobody awaits. `npm run types` reports the others.
      'no-void': ['error', { allowAsStatement: true }]
    }
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...['Literal[value=/.{90}/]', 'TemplateLiteral > TemplateElement[value.raw=/.{90}/]'].map((title) => ({
        selector: `CallExpression[callee.property.name="test"] > ${title}`, message: 'A test title has under 90 characters.'
      }))]
    }
  }
]
