import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: 'tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      // `void` marks a promise that nobody awaits.
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/no-floating-promises': ['error', {
        // A test waits for its subtests.
        allowForKnownSafeCalls: [{ from: 'package', package: '@tapjs/test', name: 'test' }, { from: 'package', package: '@tapjs/core', name: 'test' }]
      }]
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
