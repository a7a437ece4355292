"""The plugin foundry: Dify's plugins with all that they need in them, signed by the site.

`package` reads and writes a package, `resolve` finds its wheels, `sign` signs and verifies as the plugin
daemon does, `forge` does all of it for one package (docs/dify-plugins.md).
"""
