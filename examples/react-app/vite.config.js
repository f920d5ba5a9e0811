import react from '@vitejs/plugin-react'

export default {
  plugins: [react()],
  server: {
    // The demo server: `npm start` in the checkout.
    proxy: { '/chat': { target: 'http://localhost:3000', ws: true } }
  },
  // `file:../..` is a link to the checkout, which has a React of its own.
  resolve: { dedupe: ['react'] }
}
