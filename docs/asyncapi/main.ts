import { writeFileSync } from 'node:fs'
import { asyncapi } from './document.ts'

writeFileSync(new URL('../asyncapi.yaml', import.meta.url), asyncapi())
