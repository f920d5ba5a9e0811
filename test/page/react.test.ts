import { join } from 'node:path'
import { checkout } from '../support/packed.ts'
import { testReact } from './react-suite.ts'

testReact(join(checkout, 'node_modules'))
