0.5 intra
