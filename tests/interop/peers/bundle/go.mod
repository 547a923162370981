module bundle-oracle

go 1.27
