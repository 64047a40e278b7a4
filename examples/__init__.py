"""The demo: a synthetic labour market, the census teaching file, and how both were prepared."""
