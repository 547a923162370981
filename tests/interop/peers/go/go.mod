module qapi.example/go-peer

go 1.27
