"""Published policies as data: tables of ops and levels, their dialects, timm's strings, recipes."""
