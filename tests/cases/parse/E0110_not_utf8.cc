loss a = intra
# café
