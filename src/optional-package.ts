import { PackageMissing } from './errors.ts'

/**
 * Imports a module that requires an optional package. Rejects with PackageMissing if the package is not installed.
 * @param feature what the user asked for
 */
export async function withPackage<T> (feature: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw cause
    throw new PackageMissing(feature, name, { cause })
  }
}
